// The kernels for x86-64-v2; its flags stand in CMakeLists.txt.
#define HILLWALKER_ISA x86_64_v2
#include "../kernels.inl"
