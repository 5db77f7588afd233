import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statfsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { mountBind, noMounts, unmount } from '../support/mounts.ts';

/** Maps a file, closes its descriptor, and writes through the map when told to. Node cannot. */
const WRITE_BY_MAP = `
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
fd = os.open(sys.argv[1], os.O_RDWR)
at = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
os.close(fd)
print("mapped", flush=True)
sys.stdin.readline()
ctypes.memmove(at, b"changed", 7)
`;
const TMPFS = 0x01_02_19_94;
const canMap =
  spawnSync('python3', ['-c', 'import ctypes']).status === 0 && statfsSync(tmpdir()).type !== TMPFS;

const config = { watch: { rescanSeconds: 1 } };

describe('what makes no event is seen at the next rescan', () => {
  test.skipIf(noMounts !== null)('a mount over a folder below a purpose folder', async (context) => {
    const mirror = await openTestMirror(context, { config });
    const disk = join(mirror.folder, 'disk');
    await mkdir(disk);
    await writeFile(join(disk, 'b.txt'), 'b');
    await mirror.write('user_data/a.txt', 'a');
    const place = mirror.at('user_data/place');
    await mkdir(place);
    await mirror.start();
    await mirror.untilConverged({ posts: 1, deletes: 0 });

    mountBind(disk, place);
    context.onTestFinished(() => unmount(place, 'lazy'));
    await mirror.untilConverged({ posts: 2, deletes: 0 });
    expect(mirror.emulator.files().map(({ filename }) => filename)).toContain('b.txt');
  });

  test.skipIf(!canMap)('a write through mmap', async (context) => {
    const mirror = await openTestMirror(context, { config });
    await mirror.write('user_data/a.txt', 'original');
    const writer = spawn('python3', ['-c', WRITE_BY_MAP, mirror.at('user_data/a.txt')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    context.onTestFinished(() => void writer.kill());
    await once(writer.stdout, 'data');
    await mirror.start();
    await mirror.untilConverged({ posts: 1, deletes: 0 });

    writer.stdin.end('now\n');
    await once(writer, 'exit');
    await mirror.untilConverged({ posts: 2, deletes: 1 });
  });
});
