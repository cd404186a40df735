package rpc

// Service is a service with the handlers of its methods. Generated code creates
// it.
type Service struct {
	Name    string
	Methods []ServiceMethod
}

// ServiceMethod is a method with its handler.
type ServiceMethod struct {
	Method  *Method
	Handler Handler
	Raw     bool // Handler only receives and sends *Raw, so calls with any codec are accepted, even an unknown one
}

// Registrar registers services: a *Server or a *Mux.
type Registrar interface {
	// Register adds a service. It panics if a service of that name is
	// registered.
	Register(s *Service)
}
