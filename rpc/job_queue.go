package rpc

// job is the work of a worker.
type job interface{ work() }

// jobFunc is a function as a job.
type jobFunc func()

func (f jobFunc) work() { f() }

// jobQueue is a first-in first-out queue of jobs. The mutex of its owner guards
// it.
type jobQueue struct {
	jobs []job // the first head of them are taken
	head int
}

func (q *jobQueue) empty() bool { return q.head == len(q.jobs) }

// push adds a job. It uses the space of jobs that were taken again once they
// are half of all.
func (q *jobQueue) push(j job) {
	if len(q.jobs) == cap(q.jobs) && 2*q.head >= len(q.jobs) {
		left := copy(q.jobs, q.jobs[q.head:])
		clear(q.jobs[left:])
		q.jobs, q.head = q.jobs[:left], 0
	}
	q.jobs = append(q.jobs, j)
}

// pop takes the first job out. The queue must not be empty.
func (q *jobQueue) pop() job {
	j := q.jobs[q.head]
	q.jobs[q.head] = nil
	if q.head++; q.head == len(q.jobs) {
		q.jobs, q.head = q.jobs[:0], 0
	}
	return j
}
