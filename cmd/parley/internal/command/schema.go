package command

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/desc"
	"github.com/jhump/protoreflect/grpcreflect"
	"github.com/spf13/pflag"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the details of errors that are standard
	_ "google.golang.org/grpc/health/grpc_health_v1"         // for the fallback
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
)

// schemaFlags are the flags that select the definitions of services.
type schemaFlags struct {
	protos  []string
	imports []string
	sets    []string
	headers []string
}

func (s *schemaFlags) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&s.protos, "proto", nil, "`file` that defines the services, instead of the server's reflection; may be repeated")
	f.StringArrayVarP(&s.imports, "import-path", "I", nil, "`folder` with the files of --proto and their imports; may be repeated")
	f.StringArrayVar(&s.sets, "descriptor-set", nil, "`file` of compiled definitions (buf build -o, protoc --descriptor_set_out); may be repeated")
	f.StringArrayVarP(&s.headers, "header", "H", nil, "metadata of calls, '`key: value`'; may be repeated")
}

// local reports whether the definitions are local, so that no server is asked.
func (s *schemaFlags) local() bool { return len(s.protos)+len(s.sets) > 0 }

// schema is a source of definitions.
type schema struct {
	grpcurl.DescriptorSource
	client *grpcreflect.Client // nil: the definitions are local
	url    string              // of the server
}

// open loads local definitions.
func (s *schemaFlags) open() (*schema, error) {
	var source grpcurl.DescriptorSource
	var err error
	switch {
	case len(s.protos) > 0 && len(s.sets) > 0:
		return nil, usagef("--proto and --descriptor-set do not go together")
	case len(s.protos) > 0:
		source, err = grpcurl.DescriptorSourceFromProtoFiles(s.importPaths(), s.protos...)
	default:
		source, err = grpcurl.DescriptorSourceFromProtoSets(s.sets...)
	}
	if err != nil && len(s.protos) > 0 {
		return nil, usagef("--proto: %w (-I says where imported files are)", err)
	}
	if err != nil {
		return nil, usagef("--descriptor-set: %w", err)
	}
	return &schema{DescriptorSource: source}, nil
}

// importPaths returns the folders of -I. Without any, a file with an absolute
// path is searched in its own folder.
func (s *schemaFlags) importPaths() []string {
	paths := s.imports
	if len(paths) > 0 {
		return paths
	}
	for _, file := range s.protos {
		if filepath.IsAbs(file) {
			paths = append(paths, filepath.Dir(file))
		}
	}
	return paths
}

// schema returns the local definitions, or those of a server. close releases
// them.
func (s *schemaFlags) schema(ctx context.Context, url string, c rpc.Caller) (*schema, error) {
	for _, line := range s.headers {
		if _, _, err := keyValue("-H", line); err != nil {
			return nil, err
		}
	}
	if s.local() {
		return s.open()
	}
	ctx = metadata.NewOutgoingContext(ctx, grpcurl.MetadataFromHeaders(s.headers))
	client := grpcreflect.NewClientAuto(ctx, grpcparley.NewClientConn(c))
	// Servers may list a service of gRPC's own without being able to describe
	// it.
	client.AllowFallbackResolver(protoregistry.GlobalFiles, protoregistry.GlobalTypes)
	return &schema{grpcurl.DescriptorSourceFromServer(ctx, client), client, url}, nil
}

// FindSymbol is that of the source. It also finds the standard error details of
// gRPC, so that they can be read and written.
func (s *schema) FindSymbol(name string) (desc.Descriptor, error) {
	d, err := s.DescriptorSource.FindSymbol(name)
	if err == nil {
		return d, nil
	}
	known, notKnown := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if notKnown != nil || !isStandard(known.Descriptor()) {
		return nil, err
	}
	if d, wrapErr := desc.WrapMessage(known.Descriptor()); wrapErr == nil {
		return d, nil
	}
	return nil, err
}

// isStandard reports whether servers attach a message to errors, or use it in
// an Any, without having defined it.
func isStandard(m protoreflect.MessageDescriptor) bool {
	pkg := m.ParentFile().Package()
	return pkg == "google.rpc" || pkg == "google.protobuf"
}

func (s *schema) close() {
	if s.client != nil {
		s.client.Reset()
	}
}

// find returns the definition of a name.
func (s *schema) find(symbol string) (desc.Descriptor, error) {
	d, err := s.FindSymbol(symbol)
	if err == nil {
		return d, nil
	}
	if s.client == nil || grpcreflect.IsElementNotFoundError(err) {
		return nil, usagef("there is no %s: %s", symbol, s.services())
	}
	return nil, s.failed(err)
}

// services lists the services, or says how to list them.
func (s *schema) services() string {
	if s.client != nil {
		return "parley list " + s.url + " shows the services that there are"
	}
	services, err := grpcurl.ListServices(s)
	if err != nil || len(services) == 0 {
		return "the files define no service"
	}
	return "the files define " + shortList(services)
}

// shortList names the first few.
func shortList(names []string) string {
	const few = 10
	if len(names) > few {
		names = append(names[:few:few], "...")
	}
	return strings.Join(names, ", ")
}

// failed returns the error for a server that does not return its definitions.
func (s *schema) failed(err error) error {
	if errors.Is(err, grpcurl.ErrReflectionNotSupported) {
		return usagef("the server does not describe its services (no reflection): " +
			"name the definitions with --proto FILE and -I FOLDER, or with --descriptor-set FILE")
	}
	if st, ok := status.FromError(err); ok {
		return &statusError{status: status.Newf(st.Code(), "the server's reflection failed: %s", st.Message())}
	}
	return err
}

// service returns the service with a name.
func (s *schema) service(name string) (*desc.ServiceDescriptor, error) {
	d, err := s.find(name)
	if err != nil {
		return nil, err
	}
	service, ok := d.(*desc.ServiceDescriptor)
	if !ok {
		return nil, usagef("%s is not a service: %s", name, s.services())
	}
	return service, nil
}

// method returns the method with a name: pkg.Service/Method, or with a dot.
func (s *schema) method(name string) (*desc.MethodDescriptor, error) {
	service, method, ok := cutLast(strings.TrimPrefix(name, "/"), "/")
	if !ok {
		service, method, ok = cutLast(name, ".")
	}
	if !ok || service == "" || method == "" {
		return nil, usagef("%q names no method: write pkg.Service/Method", name)
	}
	d, err := s.service(service)
	if err != nil {
		return nil, err
	}
	m := d.FindMethodByName(method)
	if m != nil {
		return m, nil
	}
	var names []string
	for _, m := range d.GetMethods() {
		names = append(names, m.GetName())
	}
	return nil, usagef("the service %s has no method %s, but %s", service, method, shortList(names))
}

// cutLast cuts s at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}
