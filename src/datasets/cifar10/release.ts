import type { Release } from '../release.ts'

/**
 * MD5 of the archive is on https://www.cs.toronto.edu/~kriz/cifar.html. SHA-256 is what Keras' loader of CIFAR-10 demands,
 * and MD5 of the files what torchvision's does.
 */
export const release: Release = {
  archives: [
    {
      url: 'https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz',
      bytes: 170_498_071,
      md5: 'c58f30108f718f92721af3b95e74349a',
      sha256: '6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce',
      form: 'tar.gz',
    },
  ],
  folder: 'cifar-10-batches-py',
  mostBytes: 250_000_000,
  mostFiles: 20,
  files: {
    data_batch_1: 'c99cafc152244af753f735de768cd75f',
    data_batch_2: 'd4bba439e000b95fd0a9bffe97cbabec',
    data_batch_3: '54ebc095f3ab1f0389bbae665268c751',
    data_batch_4: '634d18415352ddfa80567beed471001a',
    data_batch_5: '482c414d41f54cd18b22e5b47cb7c3cb',
    test_batch: '40351d587109b95175f43aff81a1287e',
    'batches.meta': '5ff9c542aee3614f3951f8cda6e48888',
  },
}
