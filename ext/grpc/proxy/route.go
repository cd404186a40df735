package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
)

// Route routes the calls of some services to a backend.
type Route struct {
	// Prefix is the name of a service ("acme.users.v1.UserService"), or of a
	// package including its subpackages ("acme.users"). "" matches all
	// services. The longest matching prefix applies.
	Prefix string
	// Backend serves the calls. The program closes it when the proxy is no
	// longer used.
	Backend grpc.ClientConnInterface
	// Name is the name of the backend in errors. Default: its target, if it is
	// a *grpc.ClientConn, otherwise the prefix.
	Name string
}

// covers reports whether the route matches a service.
func (r *Route) covers(service string) bool {
	rest, ok := strings.CutPrefix(service, r.Prefix)
	return ok && (r.Prefix == "" || rest == "" || rest[0] == '.')
}

// checkRoutes returns the routes with their names, the longest prefix first, or
// an error for an invalid one.
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
