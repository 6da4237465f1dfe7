// The kernels for x86-64-v4; its flags stand in CMakeLists.txt.
#define HILLWALKER_ISA x86_64_v4
#include "../kernels.inl"
