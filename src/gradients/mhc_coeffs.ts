import { gradientOf } from '../engine/gradient.js';
import { runKernel } from '../engine/run_kernel.js';
import { MhcCoeffs, MhcCoeffsGrad } from '../kernels/contracts/mhc_coeffs.js';

export const mhcCoeffsGradient = gradientOf(MhcCoeffs, {
  save: ['x', 'phi', 'b', 'alphaPre', 'alphaPost', 'alphaRes', 'mix', 'rstd'],
  hide: ['mix', 'rstd'],
  backward: ({ hPre: dhPre, hPost: dhPost, hRes: dhRes }, saved, { tmax, sinkhornEpsilon, postMult }, wants) => {
    const { dx, dphi, db, dalphaPre, dalphaPost, dalphaRes } = runKernel(
      MhcCoeffsGrad,
      { dhPre, dhPost, dhRes, ...saved },
      {
        ...{ tmax, sinkhornEpsilon, postMult },
        dx: wants.x,
        dphi: wants.phi,
        dgates: wants.b || wants.alphaPre || wants.alphaPost || wants.alphaRes,
      },
    );
    return {
      x: () => dx,
      phi: () => dphi,
      b: () => db,
      alphaPre: () => dalphaPre,
      alphaPost: () => dalphaPost,
      alphaRes: () => dalphaRes,
    };
  },
});
