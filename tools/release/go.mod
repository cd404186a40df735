// What prepares and proves releases. A module of its own, because writing module archives takes a dependency that the
// root must not carry.
module github.com/parley-rpc/parley/tools/release

go 1.26.0

require golang.org/x/mod v0.42.0
