// Where nats-server comes from: each way there, and what is refused on the way. The release is served
// from this machine, packed from a real server; only its publisher is replaced.

import { jest } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNats } from './find-nats.js';
import type { NatsRelease } from './official-release.js';

jest.setTimeout(240_000);

const hasApt =
  spawnSync('/bin/sh', ['-c', 'command -v apt-get && command -v dpkg-deb']).status === 0;
const withApt = hasApt ? it : it.skip;

let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'concordat-spec-'));
});

afterEach(async () => {
  await rm(cacheDir, { recursive: true, force: true });
});

describe('finding nats-server', () => {
  it('refuses a named binary that does not run, and looks for no other', async () => {
    const natsServerBin = join(cacheDir, 'no-such-server');
    await expect(findNats({ natsServerBin })).rejects.toThrow(
      /NATS_SERVER_BIN names .*no-such-server, which does not run[^]*Correct it, or unset it/,
    );
  });

  it('uses the binary that was named', async () => {
    const { path, version } = await findNats();
    expect(await findNats({ natsServerBin: path })).toEqual({
      path,
      version,
      origin: 'NATS_SERVER_BIN',
    });
  });

  withApt('unpacks the package once, also when two ask at the same time', async () => {
    const options = { cacheDir, steps: ['distribution'] as const };
    const [one, two] = await Promise.all([findNats(options), findNats(options)]);
    expect(one).toEqual(two);
    expect(one.path.startsWith(cacheDir)).toBe(true);
    expect(one.version).toMatch(/^2\./);
    expect(readdirSync(cacheDir).filter((entry) => entry.startsWith('.'))).toEqual([]);
  });

  it('says what each step found and names three ways out', async () => {
    const release: NatsRelease = { version: '0.0.0', base: 'http://127.0.0.1:1', pins: {} };
    const finding = findNats({ cacheDir, release, steps: ['release'] });
    await expect(finding).rejects.toThrow(
      /NATS_SERVER_BIN: not set\n {2}- the official release: .*SHA256SUMS cannot be reached: [^]*Three ways out: set NATS_URL/,
    );
  });
});

describe('the official release', () => {
  const version = '9.9.9';
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64' | 'arm64'];
  const stem = `nats-server-v${version}-${process.platform}-${architecture}`;
  const archive = `${stem}.tar.gz`;
  let publisher: Server;
  let workshop: string;
  let base: string;
  let body: Buffer;
  let sums: string;

  beforeAll(async () => {
    workshop = await mkdtemp(join(tmpdir(), 'concordat-spec-'));
    const { path } = await findNats();
    await mkdir(join(workshop, stem));
    await cp(path, join(workshop, stem, 'nats-server'));
    execFileSync('tar', ['-czf', archive, stem], { cwd: workshop });
    publisher = createServer((request, answer) => {
      if (request.url === `/v${version}/SHA256SUMS`) answer.end(sums);
      else if (request.url === `/v${version}/${archive}`) answer.end(body);
      else answer.writeHead(404).end();
    });
    await new Promise<void>((resolve) => publisher.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(publisher.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    await new Promise((resolve) => publisher.close(resolve));
    await rm(workshop, { recursive: true, force: true });
  });

  beforeEach(() => {
    body = readFileSync(join(workshop, archive));
    sums = `${'0'.repeat(64)}  other.zip\n${sha256(body)}  ${archive}\n`;
  });

  function sha256(bytes: Buffer): string {
    return createHash('sha256').update(bytes).digest('hex');
  }

  function find(pins: Record<string, string> = {}, log?: (line: string) => void) {
    return findNats({ cacheDir, steps: ['release'], release: { version, base, pins }, log });
  }

  it('is used when it matches what was published and what is pinned', async () => {
    const { path } = await find({ [archive]: sha256(body) });
    expect(path).toBe(join(cacheDir, stem, 'nats-server'));
  });

  it('says so when no hash is pinned for the platform', async () => {
    const lines: string[] = [];
    await find({}, (line) => lines.push(line));
    expect(lines).toEqual([`nats: ${archive} is checked against the release's SHA256SUMS only`]);
  });

  it('is refused when the archive is not the one that was published', async () => {
    body = Buffer.concat([body, Buffer.from('more')]);
    await expect(find()).rejects.toThrow(/has the sha256 .* as published: it is not used/);
    expect(existsSync(join(cacheDir, stem))).toBe(false);
  });

  it('is refused when it was published again with another hash than the pinned one', async () => {
    await expect(find({ [archive]: 'f'.repeat(64) })).rejects.toThrow(/the release was changed/);
  });

  it('is refused when SHA256SUMS does not name it', async () => {
    sums = '';
    await expect(find()).rejects.toThrow(`SHA256SUMS does not name ${archive}`);
  });
});
