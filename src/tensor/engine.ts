/**
 * Which engine computed a result: raised where the same training comes out with other roundings. Results of different
 * engines agree within the noise of a seed, and not to the bit. 1: libtorch's operators alone. 2: batch norm, ReLU and the
 * addition before them as one operator of our own.
 */
export const engineVersion = 2
