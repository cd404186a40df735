package goldentest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// The stubs need the messages of protoc-gen-go. So this plugin must be able to
// read whatever that can.
func TestPluginReadsWhateverProtocGenGoReads(t *testing.T) {
	want, got := announced(t, messagesPlugin), announced(t, stubsPlugin)
	if got.GetSupportedFeatures() != want.GetSupportedFeatures() {
		t.Errorf("features: got %b, want %b", got.GetSupportedFeatures(), want.GetSupportedFeatures())
	}
	if got.GetMinimumEdition() != want.GetMinimumEdition() || got.GetMaximumEdition() != want.GetMaximumEdition() {
		t.Errorf("editions: got %d to %d, want %d to %d",
			got.GetMinimumEdition(), got.GetMaximumEdition(), want.GetMinimumEdition(), want.GetMaximumEdition())
	}
}

// announced returns a plugin's response to an empty request.
func announced(t *testing.T, plugin string) *pluginpb.CodeGeneratorResponse {
	t.Helper()
	request, err := proto.Marshal(new(pluginpb.CodeGeneratorRequest))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, plugin))
	cmd.Stdin = bytes.NewReader(request)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out, response); err != nil {
		t.Fatal(err)
	}
	return response
}
