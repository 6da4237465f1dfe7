// The kernels for any other machine: plain vectors of 16 bytes.
#define HILLWALKER_ISA baseline
#include "../kernels.inl"
