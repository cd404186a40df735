package command

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/desc"
	"github.com/spf13/cobra"

	"github.com/parley-rpc/parley/rpc"
)

func (p *program) listCommand() *cobra.Command {
	var t target
	var s schemaFlags
	c := &cobra.Command{
		Use:   "list URL [SERVICE]",
		Short: "List services, or the methods of one",
		Long: `list asks the server for its services (by gRPC's reflection), or for the methods of
one. With --proto or --descriptor-set it asks no server, and there is no URL.`,
		Example: "  parley list ws://localhost:8080/rpc\n" +
			"  parley list -I proto --proto parley/ping/v1/ping.proto parley.ping.v1.PingService",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return p.explore(c, &t, &s, args, func(from *schema, name string) error {
				if name == "" {
					return p.listServices(from)
				}
				return p.listMethods(from, name)
			})
		},
	}
	t.flags(c.Flags())
	s.flags(c.Flags())
	return c
}

func (p *program) describeCommand() *cobra.Command {
	var t target
	var s schemaFlags
	var template bool
	c := &cobra.Command{
		Use:   "describe URL SYMBOL",
		Short: "Show the definition of a service, method, message or enum",
		Long: `describe shows the definition of a name. With --proto or --descriptor-set it asks no
server, and there is no URL.`,
		Example: "  parley describe ws://localhost:8080/rpc parley.ping.v1.PingService\n" +
			"  parley describe ws://localhost:8080/rpc parley.ping.v1.PingRequest --template",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return p.explore(c, &t, &s, args, func(from *schema, name string) error {
				if name == "" {
					return usagef("the name is missing: write %s", c.UseLine())
				}
				show := definition
				if template {
					show = filledIn
				}
				return p.describe(from, name, show)
			})
		},
	}
	t.flags(c.Flags())
	s.flags(c.Flags())
	c.Flags().BoolVar(&template, "template", false, "show a message as JSON with all fields, as a template")
	return c
}

// exploring is how long a server may take to return its definitions.
const exploring = 30 * time.Second

// explore calls f with definitions. args are the URL, unless the definitions
// are local, and an optional name.
func (p *program) explore(c *cobra.Command, t *target, s *schemaFlags, args []string, f func(from *schema, name string) error) error {
	url, name := "", ""
	if len(args) > 0 && strings.Contains(args[0], "://") || !s.local() {
		if len(args) == 0 {
			return usagef("the URL is missing: write %s", c.UseLine())
		}
		url, args = args[0], args[1:]
	}
	if len(args) > 1 {
		return usagef("%d arguments too many: write %s", len(args)-1, c.UseLine())
	}
	if len(args) > 0 {
		name = args[0]
	}
	ctx, cancel := context.WithTimeout(c.Context(), t.timeout+exploring)
	defer cancel()
	var caller rpc.Caller
	if !s.local() {
		client, _, err := t.connect(ctx, url)
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // the program ends
		caller = client
	}
	from, err := s.schema(ctx, url, caller)
	if err != nil {
		return err
	}
	defer from.close()
	return f(from, name)
}

func (p *program) listServices(from *schema) error {
	services, err := grpcurl.ListServices(from)
	if err != nil {
		return from.failed(err)
	}
	if p.json() {
		return json.NewEncoder(p.Out).Encode(map[string][]string{"services": services})
	}
	for _, s := range services {
		fmt.Fprintln(p.Out, escaped(s, "")) // a line each
	}
	return nil
}

// listed is a method in the JSON list.
type listed struct {
	Name          string `json:"name"`
	Request       string `json:"request"`
	Response      string `json:"response"`
	ClientStreams bool   `json:"clientStreams"`
	ServerStreams bool   `json:"serverStreams"`
}

func (p *program) listMethods(from *schema, name string) error {
	service, err := from.service(name)
	if err != nil {
		return err
	}
	methods := []listed{}
	for _, m := range service.GetMethods() {
		methods = append(methods, listed{
			Name:          path(m),
			Request:       m.GetInputType().GetFullyQualifiedName(),
			Response:      m.GetOutputType().GetFullyQualifiedName(),
			ClientStreams: m.IsClientStreaming(),
			ServerStreams: m.IsServerStreaming(),
		})
	}
	if p.json() {
		return json.NewEncoder(p.Out).Encode(map[string]any{"service": name, "methods": methods})
	}
	for _, m := range methods {
		fmt.Fprintln(p.Out, escaped(m.Name, ""))
	}
	return nil
}

// path returns the name by which a method is called.
func path(m *desc.MethodDescriptor) string {
	return m.GetService().GetFullyQualifiedName() + "/" + m.GetName()
}

// definition returns the source of a definition.
func definition(from *schema, d desc.Descriptor) (string, error) {
	return grpcurl.GetDescriptorText(d, from)
}

// filledIn returns a message as JSON with all its fields.
func filledIn(from *schema, d desc.Descriptor) (string, error) {
	message, ok := d.(*desc.MessageDescriptor)
	if !ok {
		return "", usagef("--template: %s is not a message", d.GetFullyQualifiedName())
	}
	format := grpcurl.NewJSONFormatter(true, grpcurl.AnyResolverFromDescriptorSourceWithFallback(from))
	return format(grpcurl.MakeTemplate(message))
}

func (p *program) describe(from *schema, name string, show func(*schema, desc.Descriptor) (string, error)) error {
	d, err := from.find(strings.ReplaceAll(strings.Trim(name, "/."), "/", "."))
	if err != nil {
		return err
	}
	text, err := show(from, d)
	if err != nil {
		return err
	}
	if p.json() {
		return json.NewEncoder(p.Out).Encode(map[string]string{"name": d.GetFullyQualifiedName(), "definition": text})
	}
	fmt.Fprintln(p.Out, text)
	return nil
}
