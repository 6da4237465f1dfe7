// The kernels for 64-bit ARM.
#define HILLWALKER_ISA neon
#include "../kernels.inl"
