package codegen

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// serviceNames are the identifiers that a service declares.
type serviceNames struct {
	name          string // the constant with its full name
	client        string
	newClient     string
	clientImpl    string
	server        string
	register      string
	unimplemented string
	methods       []methodNames // in the order of the .proto
}

// methodNames are the identifiers of a method.
type methodNames struct {
	method     string // in the interfaces
	descriptor string // the *rpc.Method
}

func newServiceNames(base string) *serviceNames {
	return &serviceNames{
		name:          base + "Name",
		client:        base + "Client",
		newClient:     "New" + base + "Client",
		clientImpl:    strings.ToLower(base[:1]) + base[1:] + "Client",
		server:        base + "Server",
		register:      "Register" + base + "Server",
		unimplemented: "Unimplemented" + base + "Server",
	}
}

func (n *serviceNames) all() []string {
	return []string{n.name, n.client, n.newClient, n.clientImpl, n.server, n.register, n.unimplemented}
}

// scope is the set of identifiers that a package declares.
type scope map[string]bool

// claim takes all names, or none if one of them is taken.
func (s scope) claim(names ...string) bool {
	for _, name := range names {
		if s[name] {
			return false
		}
	}
	for _, name := range names {
		s[name] = true
	}
	return true
}

// nameServices names what the services of one Go package declare. The result
// does not depend on the order of the services. Services whose names are spelled
// as in Go come first, then those with shorter names.
func nameServices(services []*protogen.Service, taken scope) map[*protogen.Service]*serviceNames {
	services = slices.Clone(services)
	slices.SortStableFunc(services, func(a, b *protogen.Service) int {
		return cmp.Or(
			cmp.Compare(respelled(a.GoName, a.Desc), respelled(b.GoName, b.Desc)),
			cmp.Compare(len(a.GoName), len(b.GoName)),
			strings.Compare(string(a.Desc.Name()), string(b.Desc.Name())),
		)
	})
	named := make(map[*protogen.Service]*serviceNames, len(services))
	for _, service := range services {
		base := service.GoName
		names := newServiceNames(base)
		for !taken.claim(names.all()...) {
			base += "_"
			names = newServiceNames(base)
		}
		for _, method := range nameMethods(service.Methods) {
			descriptor := base + method + "Method"
			for sep := "_"; !taken.claim(descriptor); sep += "_" {
				descriptor = base + sep + method + "Method"
			}
			names.methods = append(names.methods, methodNames{method: method, descriptor: descriptor})
		}
		named[service] = names
	}
	return named
}

// respelled returns 1 if the Go name differs from the name in the .proto, and 0
// otherwise.
func respelled(goName string, desc protoreflect.Descriptor) int {
	if goName == string(desc.Name()) {
		return 0
	}
	return 1
}

// nameMethods returns the Go names of a service's methods, all different. If
// several would have the same name, the one that is spelled so in the .proto
// gets it, or else the first in alphabetical order. The others keep the
// spelling of the .proto, exported.
func nameMethods(methods []*protogen.Method) []string {
	order := make([]int, len(methods))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		m, n := methods[a], methods[b]
		return cmp.Or(
			cmp.Compare(respelled(m.GoName, m.Desc), respelled(n.GoName, n.Desc)),
			strings.Compare(string(m.Desc.Name()), string(n.Desc.Name())),
		)
	})
	taken := make(scope, len(methods))
	names := make([]string, len(methods))
	for _, i := range order {
		name := methods[i].GoName
		if !taken.claim(name) {
			name = exported(string(methods[i].Desc.Name()))
			for !taken.claim(name) {
				name += "_"
			}
		}
		names[i] = name
	}
	return names
}

// exported makes a Protobuf name an exported Go name, with as few changes as
// possible.
func exported(name string) string {
	if name[0] == '_' {
		return "X" + name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// declared returns what protoc-gen-go declares in the package of the files, as
// far as it may conflict with our names.
func declared(files []*protogen.File) scope {
	names := make(scope)
	for _, file := range files {
		declaredEnums(names, file.Enums)
		declaredMessages(names, file.Messages)
	}
	return names
}

func declaredMessages(names scope, messages []*protogen.Message) {
	for _, m := range messages {
		names[m.GoIdent.GoName] = true
		for _, field := range m.Fields {
			if field.Oneof != nil {
				names[field.GoIdent.GoName] = true
			}
		}
		declaredEnums(names, m.Enums)
		declaredMessages(names, m.Messages)
	}
}

func declaredEnums(names scope, enums []*protogen.Enum) {
	for _, e := range enums {
		names[e.GoIdent.GoName] = true
		for _, value := range e.Values {
			names[value.GoIdent.GoName] = true
		}
	}
}
