package check

// windows are the times of the options in nanoseconds, as the rules need them.
type windows struct {
	minIdle, slack, ackTime, recovery int64
	leaseMargin                       int64
	closeGrace                        int64
	groupLoss                         int64
	liveBound                         int64
}

func (o Options) windows() windows {
	return windows{
		minIdle: int64(o.MinIdle), slack: int64(o.Slack), ackTime: int64(o.AckTime), recovery: int64(o.Recovery),
		leaseMargin: o.leaseMargin(), closeGrace: o.closeGrace(), groupLoss: int64(o.GroupLoss), liveBound: int64(o.LiveBound),
	}
}
