package rpc

// ServerOption configures a Server.
type ServerOption interface{ applyServer(*Server) }

type serverOption func(*Server)

func (f serverOption) applyServer(s *Server) { f(s) }

// WithOrigins allows pages of other origins than the server's own to connect:
// patterns such as "https://*.example.com", or "*" for all. What is no browser
// sends no Origin and is not concerned. NewServer panics if one is malformed.
func WithOrigins(patterns ...string) ServerOption {
	return serverOption(func(s *Server) { s.upgrader.Origins = append(s.upgrader.Origins, patterns...) })
}

// WithSecureOrigin says that browsers reach the server by TLS only, which ends at a
// proxy: pages of the server's own origin come from https. Without it a page from http
// is let in where neither this server has TLS nor the proxy says that it has
// (X-Forwarded-Proto of https or wss, or Forwarded).
func WithSecureOrigin() ServerOption {
	return serverOption(func(s *Server) { s.upgrader.SecureOrigin = true })
}

// WithHosts names the hosts as which pages may reach the server, without a port:
// "example.com", "*.example.com", "[::1]", or "*" for all. A page that comes by another
// name is refused with HTTP 403: an attacker can make a name of his own resolve to
// this server (DNS rebinding). Without WithHosts all names are good, but over the loopback
// interface, without TLS and a proxy that sets X-Forwarded-For or the like, only
// localhost and loopback addresses. What is no browser sends no Origin and is not
// concerned. NewServer panics if one is malformed.
func WithHosts(hosts ...string) ServerOption {
	return serverOption(func(s *Server) { s.upgrader.Hosts = append(s.upgrader.Hosts, hosts...) })
}
