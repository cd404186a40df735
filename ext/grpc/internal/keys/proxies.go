package keys

// SaidByProxies are the names of headers by which proxies, load balancers and what
// authenticates in front of a server tell it who calls, and how. They are as Canonical
// has them.
var SaidByProxies = newPatterns(
	// Where a request comes from, and by which way.
	"forwarded", "via", "x-forwarded", "x-forwarded-*", "x-original-*", "x-rewrite-url", "x-scheme", "x-url-scheme",
	"x-real-ip", "x-client-ip", "client-ip", "x-cluster-client-ip", "true-client-ip", "fastly-client-ip", "do-connecting-ip",
	"fly-client-ip", "fly-forwarded-*", "x-nf-client-connection-ip", "x-proxyuser-ip", "remote-addr", "x-remote-*",
	"x-appengine-*", "x-azure-*", "x-vercel-*", "cf-*", "cdn-loop", "front-end-https", "early-data",
	// Envoy, service meshes, gRPC's own load balancing.
	"x-envoy-*", "x-istio-*", "l5d-*", "grpc-previous-rpc-attempts", "lb-token", "lb-cost", "proxy-*",
	// The certificate of the client: RFC 9440, nginx, Apache, HAProxy, AWS, Azure.
	"client-cert", "client-cert-chain", "x-client-cert", "x-client-cert-*", "x-client-dn", "x-client-verify",
	"ssl-client-*", "x-ssl-*", "x-amzn-mtls-*", "x-amzn-tls-*", "x-arr-*",
	// Who calls, as what has authenticated says: oauth2-proxy, Authelia, authentik, Pomerium, Vouch,
	// Kong, APISIX, Istio, AWS, Google, Azure, Tailscale.
	"x-auth-request-*", "remote-user", "remote-name", "remote-email", "remote-groups", "x-authentik-*", "x-pomerium-*",
	"x-vouch-*", "x-webauth-*", "x-consumer-*", "x-credential-identifier", "x-anonymous-consumer", "x-authenticated-*",
	"x-userinfo", "x-jwt-claim-*", "x-amzn-oidc-*", "x-goog-authenticated-user-*", "x-goog-iap-*",
	"x-ms-client-principal*", "x-ms-token-*", "tailscale-*",
)
