package partitions

// Covering are a few seeds whose plans have every fault between them. Of the first seeds, it
// takes those that add most.
func Covering() []uint64 {
	const enough = 2000
	missing := map[string]bool{}
	for _, c := range catalog() {
		missing[c.name] = true
	}
	var seeds []uint64
	for len(missing) > 0 {
		best, most := uint64(0), 0
		for seed := range uint64(enough) {
			if n := len(news(seed, missing)); n > most {
				best, most = seed, n
			}
		}
		if most == 0 {
			return seeds // the rest is too rare, which a test would see
		}
		for name := range news(best, missing) {
			delete(missing, name)
		}
		seeds = append(seeds, best)
	}
	return seeds
}

// news are the faults of a seed's plan that are missing.
func news(seed uint64, missing map[string]bool) map[string]bool {
	names := map[string]bool{}
	for _, name := range Draw(seed).Faults() {
		if missing[name] {
			names[name] = true
		}
	}
	return names
}
