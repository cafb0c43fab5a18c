#include "flash/forward_kernel.cuh"

namespace gen::flash {

template int launch_forward<40, false>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward<40, true>(const ForwardArguments&, int64_t, cudaStream_t);
template int launch_forward_short<40>(const ForwardArguments&, int64_t, cudaStream_t);

}  // namespace gen::flash
