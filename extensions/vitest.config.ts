import { defineConfig } from 'vitest/config';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['{view,lab}/{src,tests}/**/*.test.{ts,tsx}'],
    environment: 'happy-dom',
    passWithNoTests: false
  }
});
