package assemble

import "context"

func (b *builder) layBytecode(ctx context.Context, p Bytecode) error { return nil }
