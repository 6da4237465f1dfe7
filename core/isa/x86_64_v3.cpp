// The kernels for x86-64-v3; its flags stand in CMakeLists.txt.
#define HILLWALKER_ISA x86_64_v3
#include "../kernels.inl"
