package reflection

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	reflectionv1 "github.com/parley-rpc/parley/gen/parley/reflection/v1"
	"github.com/parley-rpc/parley/rpc"
)

// files are the paths of the files that a stream has been sent.
type files map[string]bool

func (f files) byPath(path string) (*reflectionv1.FileDescriptorResponse, *rpc.Error) {
	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeNotFound, "there is no file %.200q", path)
	}
	return f.tell(file)
}

func (f files) bySymbol(name string) (*reflectionv1.FileDescriptorResponse, *rpc.Error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeNotFound, "%.200q is not defined", name)
	}
	return f.tell(d.ParentFile())
}

func (f files) byExtension(e *reflectionv1.ExtensionRequest) (*reflectionv1.FileDescriptorResponse, *rpc.Error) {
	number := protoreflect.FieldNumber(e.GetExtensionNumber())
	x, err := protoregistry.GlobalTypes.FindExtensionByNumber(protoreflect.FullName(e.GetContainingType()), number)
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeNotFound, "%.200q has no extension %d", e.GetContainingType(), number)
	}
	return f.tell(x.TypeDescriptor().ParentFile())
}

// tell returns a file, and what it imports and was not told before.
func (f files) tell(file protoreflect.FileDescriptor) (*reflectionv1.FileDescriptorResponse, *rpc.Error) {
	res := &reflectionv1.FileDescriptorResponse{}
	f[file.Path()] = true
	for queue := []protoreflect.FileDescriptor{file}; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		encoded, err := proto.Marshal(protodesc.ToFileDescriptorProto(next))
		if err != nil {
			return nil, rpc.Errorf(rpc.CodeInternal, "encode the definitions in %s: %w", next.Path(), err)
		}
		res.FileDescriptorProto = append(res.FileDescriptorProto, encoded)
		for i := range next.Imports().Len() {
			imported := next.Imports().Get(i)
			if !f[imported.Path()] && !imported.IsPlaceholder() {
				f[imported.Path()] = true
				queue = append(queue, imported)
			}
		}
	}
	return res, nil
}

// extensionNumbers returns the extensions of a message.
func extensionNumbers(message string) (*reflectionv1.ExtensionNumberResponse, *rpc.Error) {
	name := protoreflect.FullName(message)
	if d, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err != nil {
		return nil, rpc.Errorf(rpc.CodeNotFound, "%.200q is not defined", message)
	} else if _, ok := d.(protoreflect.MessageDescriptor); !ok {
		return nil, rpc.Errorf(rpc.CodeNotFound, "%.200q is not a message", message)
	}
	res := &reflectionv1.ExtensionNumberResponse{BaseTypeName: message}
	protoregistry.GlobalTypes.RangeExtensionsByMessage(name, func(x protoreflect.ExtensionType) bool {
		res.ExtensionNumber = append(res.ExtensionNumber, int32(x.TypeDescriptor().Number()))
		return true
	})
	slices.Sort(res.ExtensionNumber)
	return res, nil
}
