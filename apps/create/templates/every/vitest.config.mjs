import swc from 'unplugin-swc';

// Nest's decorators need their metadata, which the compiler of Vitest does not emit.
export default {
  test: {
    include: ['{src,test}/**/*.{spec,e2e-spec}.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
  plugins: [
    swc.vite({
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
    }),
  ],
};
