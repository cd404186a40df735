package reflection

import (
	"testing"

	"google.golang.org/protobuf/proto"

	reflectionv1 "github.com/parley-rpc/parley/gen/parley/reflection/v1"
	"github.com/parley-rpc/parley/rpc"
)

// FuzzQuestion sends arbitrary requests. The server always sends a response or
// a refusal, of bounded size.
func FuzzQuestion(f *testing.F) {
	for _, q := range []*question{
		{}, {Host: "here"},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_FileByFilename{FileByFilename: "parley/reflection/v1/reflection.proto"}},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "grpc.reflection.v1.ServerReflection"}},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "..\n"}},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_AllExtensionNumbersOfType{AllExtensionNumbersOfType: "google.protobuf.FeatureSet"}},
		{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingExtension{
			FileContainingExtension: &reflectionv1.ExtensionRequest{ContainingType: "google.protobuf.FeatureSet", ExtensionNumber: 1002}}},
	} {
		encoded, err := proto.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Add([]byte("\x1a\xff\xff\xff\x7f"))
	mux := rpc.NewMux()
	Register(mux)
	f.Fuzz(func(t *testing.T, encoded []byte) {
		q := new(question)
		if proto.Unmarshal(encoded, q) != nil {
			return
		}
		if checkSize(q) != nil {
			if proto.Size(q) <= maxQuestion {
				t.Fatal("a question of a good size is refused")
			}
			return
		}
		told := make(files)
		for range 2 { // the second time files are known
			res := new(answer)
			err := server{mux}.answer(q, res, told)
			if err == nil && res.MessageResponse == nil {
				t.Fatal("neither an answer nor an error")
			}
			if err != nil && (len(err.Message()) > 1000 || err.Code() != rpc.CodeNotFound && err.Code() != rpc.CodeInvalidArgument) {
				t.Fatalf("%v: %d bytes", err.Code(), len(err.Message()))
			}
			if _, err := proto.Marshal(res); err != nil {
				t.Fatal(err)
			}
		}
	})
}
