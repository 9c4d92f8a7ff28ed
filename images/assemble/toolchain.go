package assemble

import "context"

func (b *builder) layToolchain(ctx context.Context, t Toolchain) error                    { return nil }
func (b *builder) fetchToolchain(ctx context.Context, incoming string, t Toolchain) error { return nil }
