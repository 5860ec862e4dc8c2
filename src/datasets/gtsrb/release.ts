import type { Archive, Release } from '../release.ts'

const place = 'https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370'
const zip = (name: string, bytes: number, rest: Pick<Archive, 'md5' | 'into'>): Archive => ({
  url: `${place}/${name}`,
  bytes,
  form: 'zip',
  ...rest,
})

/** The archives of the final challenge. MD5 is what torchvision's loader and others demand; the authors publish none. */
export const release: Release = {
  archives: [
    zip('GTSRB_Final_Training_Images.zip', 276_294_756, { md5: 'f33fd80ac59bff73c82d25ab499e03a3' }),
    zip('GTSRB_Final_Test_Images.zip', 88_978_620, { md5: 'c7e4e6327067d32654124b0fe9e82185' }),
    // holds the one file GT-final_test.csv, with the classes of the test images
    zip('GTSRB_Final_Test_GT.zip', 99_620, { md5: 'fe31e9c9270bbcd7b84b7f21a9d9d9e5', into: 'GTSRB/Final_Test' }),
  ],
  folder: 'GTSRB',
  mostBytes: 1_500_000_000,
  mostFiles: 60_000,
  files: {
    'Final_Training/Images/00000/GT-00000.csv': null,
    'Final_Training/Images/00042/GT-00042.csv': null,
    'Final_Test/Images/00000.ppm': null,
    'Final_Test/Images/12629.ppm': null,
    'Final_Test/GT-final_test.csv': null,
  },
}
