package main

// row is one way to make a server keep memory, and a line of the table.
type row struct {
	name   string
	bound  bound
	attack func(*attacker) error
}

// rows are the terms of the sum in docs/limits.md.
var rows = []row{
	{"links with large headers", links, (*attacker).connect},
	{"messages of links that have begun", sum(links, begun), (*attacker).beginLinkMessage},
	{"calls with large headers", sum(links, begun, calls, headers), (*attacker).sendHeaders},
	{"windows that are filled", sum(links, begun, calls, unread), (*attacker).fillWindows},
	{"windows that have grown", sum(links, begun, calls, unread, windows), (*attacker).growWindows},
	{"messages in pieces", sum(links, begun, calls, unread, windows, messages), (*attacker).sendMessages},
	{"messages that are inflated", sum(links, begun, calls, unread, messages), (*attacker).sendCompressed},
	{"answers that are not read", sum(links, begun, calls, answers), (*attacker).leaveAnswers},
	{"sessions without a link", sum(links, begun, calls, unread, answers, away), (*attacker).cutLinks},
}

// together is all rows at once. A detached session counts as one of the
// connections.
var together = row{
	name:  "all at once",
	bound: sum(links, begun, calls, headers, unread, windows, messages, answers, away),
}
