package redisstream

import (
	"github.com/ThreeDotsLabs/watermill"
)

// logger is the user's logger, and knows whether anybody listens: fields for
// each message are not built for nobody.
type logger struct {
	watermill.LoggerAdapter
	silent bool
}

func newLogger(adapter watermill.LoggerAdapter) logger {
	switch adapter.(type) {
	case nil:
		return logger{watermill.NopLogger{}, true}
	case watermill.NopLogger, *watermill.NopLogger:
		return logger{adapter, true}
	default:
		return logger{adapter, false}
	}
}

func (l logger) with(fields watermill.LogFields) logger {
	if l.silent {
		return l
	}
	return logger{l.With(fields), false}
}
