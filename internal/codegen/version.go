package codegen

// Version is the version of the plugin. It is in the header of every generated
// file.
const Version = "v0.1.0"

// generation is the version of what generated code needs of package rpc. It
// grows by one when generated code starts to use something new of rpc.
// MinGenerated and MaxGenerated of package rpc say which generations it still
// supports.
const generation = 1

// pluginName is the name under which protoc and buf find the plugin.
const pluginName = "protoc-gen-go-parley"
