#include "flash_hopper/forward_launch.cuh"

namespace gen::flash_hopper {
template int launch_forward<256>(const Arguments&, ops::flash::DType, bool, int, cudaStream_t);
}  // namespace gen::flash_hopper
