// Package vtproto proves with generated code that messages of vtprotobuf use
// their own methods in the proto codec, and measures what that brings.
package vtproto
