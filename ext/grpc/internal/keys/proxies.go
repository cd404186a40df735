package keys

// SaidByProxies are the headers by which proxies, load balancers and
// authenticating proxies identify the caller to a server, as in Canonical.
var SaidByProxies = newPatterns(
	// The origin of a request and its route.
	"forwarded", "via", "x-forwarded", "x-forwarded-*", "x-original-*", "x-rewrite-url", "x-scheme", "x-url-scheme",
	"x-real-ip", "x-client-ip", "client-ip", "x-cluster-client-ip", "true-client-ip", "fastly-client-ip", "do-connecting-ip",
	"fly-client-ip", "fly-forwarded-*", "x-nf-client-connection-ip", "x-proxyuser-ip", "remote-addr", "x-remote-*",
	"x-appengine-*", "x-azure-*", "x-vercel-*", "cf-*", "cdn-loop", "front-end-https", "early-data",
	// Envoy, service meshes, gRPC's own load balancing.
	"x-envoy-*", "x-istio-*", "l5d-*", "grpc-previous-rpc-attempts", "lb-token", "lb-cost", "proxy-*",
	// The certificate of the client: RFC 9440, nginx, Apache, HAProxy, AWS,
	// Azure.
	"client-cert", "client-cert-chain", "x-client-cert", "x-client-cert-*", "x-client-dn", "x-client-verify",
	"ssl-client-*", "x-ssl-*", "x-amzn-mtls-*", "x-amzn-tls-*", "x-arr-*",
	// The caller, according to an authenticating proxy: oauth2-proxy, Authelia,
	// authentik, Pomerium, Vouch, Kong, APISIX, Istio, AWS, Google, Azure,
	// Tailscale.
	"x-auth-request-*", "remote-user", "remote-name", "remote-email", "remote-groups", "x-authentik-*", "x-pomerium-*",
	"x-vouch-*", "x-webauth-*", "x-consumer-*", "x-credential-identifier", "x-anonymous-consumer", "x-authenticated-*",
	"x-userinfo", "x-jwt-claim-*", "x-amzn-oidc-*", "x-goog-authenticated-user-*", "x-goog-iap-*",
	"x-ms-client-principal*", "x-ms-token-*", "tailscale-*",
)
