#include "flash/forward_kernel.cuh"

namespace gen::flash {

template int launch_forward<128, false>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward<128, true>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward_short<128>(const ForwardArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
