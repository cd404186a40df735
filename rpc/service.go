package rpc

// Service is a service and who serves its methods. Generated code makes it.
type Service struct {
	Name    string
	Methods []ServiceMethod
}

// ServiceMethod is a method and who serves it.
type ServiceMethod struct {
	Method  *Method
	Handler Handler
	Raw     bool // Handler receives and sends only *Raw: it takes calls of any codec, known here or not
}

// Registrar takes services: a *Server or a *Mux.
type Registrar interface {
	// Register adds a service. It panics if there is one of that name.
	Register(s *Service)
}
