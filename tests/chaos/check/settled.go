package check

// settled holds that nothing is pending at the end, whoever it is pending for. There
// is no excuse: all faults are over.
func settled(s *story, r *Report) {
	if s.quiet != never {
		r.checked("settled")
	}
	for _, e := range s.pending {
		r.broken("settled", s.course(e), "is still pending for "+e.Target, e)
	}
}
