package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
)

// Route leads the calls of some services to a backend.
type Route struct {
	// Prefix is the name of a service ("acme.users.v1.UserService"), or of a package
	// with all packages in it ("acme.users"). "" leads all services to the backend. Where
	// several fit, the longest counts.
	Prefix string
	// Backend takes the calls. Its owner closes it, after the last use of the proxy.
	Backend grpc.ClientConnInterface
	// Name is what errors call the backend. Default: its target, if it is a
	// *grpc.ClientConn, otherwise the prefix.
	Name string
}

// covers reports whether the route takes the calls of a service.
func (r *Route) covers(service string) bool {
	rest, ok := strings.CutPrefix(service, r.Prefix)
	return ok && (r.Prefix == "" || rest == "" || rest[0] == '.')
}

// checkRoutes returns the routes as they are searched, the longest prefix first, with
// their names, or what is wrong with them.
func checkRoutes(routes []Route) ([]Route, error) {
	if len(routes) == 0 {
		return nil, errors.New("proxy: Config.Routes is empty")
	}
	routes = slices.Clone(routes)
	seen := make(map[string]bool, len(routes))
	for i := range routes {
		r := &routes[i]
		switch {
		case r.Backend == nil:
			return nil, fmt.Errorf("proxy: the route of %q has no Backend", r.Prefix)
		case seen[r.Prefix]:
			return nil, fmt.Errorf("proxy: there are two routes of %q", r.Prefix)
		case strings.HasPrefix(r.Prefix, ".") || strings.HasSuffix(r.Prefix, ".") || strings.Contains(r.Prefix, "/"):
			return nil, fmt.Errorf("proxy: the prefix %q must be a package or a service, such as acme.users", r.Prefix)
		}
		seen[r.Prefix] = true
		if named, ok := r.Backend.(interface{ Target() string }); ok && r.Name == "" {
			r.Name = named.Target()
		}
		r.Name = cmp.Or(r.Name, r.Prefix, "default")
	}
	slices.SortFunc(routes, func(a, b Route) int { return cmp.Compare(len(b.Prefix), len(a.Prefix)) })
	return routes, nil
}
