package codegen

// Version is the version of the plugin. It stands in the header of every
// generated file.
const Version = "v0.1.0"

// generation is what generated files and package rpc have agreed on: it grows
// by one when generated code starts to need something new of rpc. Package rpc
// says by MinGenerated and MaxGenerated which generations it still serves.
const generation = 1

// pluginName is the name under which protoc and buf find the plugin.
const pluginName = "protoc-gen-go-parley"
