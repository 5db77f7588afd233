import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { statToken } from '../../src/mirror/stat-token.ts';
import { openTestMirror } from '../support/blackbox/mirror-process.ts';
import { shiftClocks, withShiftableClocks } from '../support/clock-shift.ts';
