package rpc

// ServerOption configures a Server.
type ServerOption interface{ applyServer(*Server) }

type serverOption func(*Server)

func (f serverOption) applyServer(s *Server) { f(s) }

// WithOrigins allows pages of other origins than the server's own to connect:
// patterns such as "https://*.example.com", or "*" for all. It does not concern
// clients other than browsers, which send no Origin. NewServer panics if a
// pattern is malformed.
func WithOrigins(patterns ...string) ServerOption {
	return serverOption(func(s *Server) { s.upgrader.Origins = append(s.upgrader.Origins, patterns...) })
}

// WithSecureOrigin declares that browsers reach the server only by TLS, which a
// proxy terminates: pages of the server's own origin come from https. Without
// it, a page from http is accepted if neither this server has TLS nor the proxy
// says that it has (X-Forwarded-Proto of https or wss, or Forwarded).
func WithSecureOrigin() ServerOption {
	return serverOption(func(s *Server) { s.upgrader.SecureOrigin = true })
}

// WithHosts names the hosts by which pages may reach the server, without a
// port: "example.com", "*.example.com", "[::1]", or "*" for all. A page that
// uses another name is refused with HTTP 403: an attacker can make a name of
// their own resolve to this server (DNS rebinding). Without WithHosts all names
// are accepted. The exception is the loopback interface without TLS and without
// a proxy that sets X-Forwarded-For or the like: there, only localhost and
// loopback addresses are accepted. WithHosts does not concern clients other
// than browsers, which send no Origin. NewServer panics if a host is malformed.
func WithHosts(hosts ...string) ServerOption {
	return serverOption(func(s *Server) { s.upgrader.Hosts = append(s.upgrader.Hosts, hosts...) })
}
