package reflection

import (
	"context"

	"google.golang.org/protobuf/proto"

	reflectionv1 "github.com/parley-rpc/parley/gen/parley/reflection/v1"
	"github.com/parley-rpc/parley/rpc"
)

// Names of the service on the wire. The older one has the same messages, and is
// the only one that older tools know.
const (
	ServiceName      = "grpc.reflection.v1.ServerReflection"
	AlphaServiceName = "grpc.reflection.v1alpha.ServerReflection"
)

// Registry is a set of services: a *rpc.Server or a *rpc.Mux.
type Registry interface {
	rpc.Registrar
	// Services returns the names of the services.
	Services() []string
}

// Register registers the service under both names. It panics if it is
// registered already.
func Register(r Registry) {
	for _, name := range []string{ServiceName, AlphaServiceName} {
		m := &rpc.Method{Service: name, Name: "ServerReflectionInfo", ClientStreams: true, ServerStreams: true}
		r.Register(&rpc.Service{Name: name, Methods: []rpc.ServiceMethod{{Method: m, Handler: rpc.BidiHandler(server{r}.answerAll)}}})
	}
}

type server struct{ Registry }

type (
	question = reflectionv1.ServerReflectionRequest
	answer   = reflectionv1.ServerReflectionResponse
)

// maxQuestion is the maximum size in bytes of a question. The question is kept,
// and returned with the answer, until the caller has received the answer. Names
// in Protobuf have a few dozen bytes.
const maxQuestion = 4 << 10

// checkSize rejects a question that is too large to be kept.
func checkSize(q *question) error {
	if n := proto.Size(q); n > maxQuestion {
		return rpc.Errorf(rpc.CodeInvalidArgument, "a request of %d bytes exceeds the limit of %d: ask for one name at a time", n, maxQuestion)
	}
	return nil
}

// answerAll answers questions until there are no more, or one is too large.
func (s server) answerAll(_ context.Context, in rpc.Receiver[question], out rpc.Sender[answer]) error {
	told := make(files)
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		if err := checkSize(req); err != nil {
			return err
		}
		res := &answer{ValidHost: req.Host, OriginalRequest: req}
		if err := s.answer(req, res, told); err != nil {
			res.MessageResponse = &reflectionv1.ServerReflectionResponse_ErrorResponse{ErrorResponse: &reflectionv1.ErrorResponse{
				ErrorCode: int32(rpc.CodeOf(err)), ErrorMessage: err.Message(),
			}}
		}
		if err := out.Send(res); err != nil {
			return err
		}
	}
	return nil
}

// answer stores the answer to a question in res.
func (s server) answer(req *question, res *answer, told files) *rpc.Error {
	var file *reflectionv1.FileDescriptorResponse
	var err *rpc.Error
	switch q := req.MessageRequest.(type) {
	case *reflectionv1.ServerReflectionRequest_FileByFilename:
		file, err = told.byPath(q.FileByFilename)
	case *reflectionv1.ServerReflectionRequest_FileContainingSymbol:
		file, err = told.bySymbol(q.FileContainingSymbol)
	case *reflectionv1.ServerReflectionRequest_FileContainingExtension:
		file, err = told.byExtension(q.FileContainingExtension)
	case *reflectionv1.ServerReflectionRequest_AllExtensionNumbersOfType:
		numbers, err := extensionNumbers(q.AllExtensionNumbersOfType)
		res.MessageResponse = &reflectionv1.ServerReflectionResponse_AllExtensionNumbersResponse{AllExtensionNumbersResponse: numbers}
		return err
	case *reflectionv1.ServerReflectionRequest_ListServices:
		list := &reflectionv1.ListServiceResponse{}
		for _, name := range s.Services() {
			list.Service = append(list.Service, &reflectionv1.ServiceResponse{Name: name})
		}
		res.MessageResponse = &reflectionv1.ServerReflectionResponse_ListServicesResponse{ListServicesResponse: list}
		return nil
	default:
		return rpc.Errorf(rpc.CodeInvalidArgument, "the request is empty")
	}
	res.MessageResponse = &reflectionv1.ServerReflectionResponse_FileDescriptorResponse{FileDescriptorResponse: file}
	return err
}
