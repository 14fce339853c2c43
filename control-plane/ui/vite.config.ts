import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const mpanel = process.env.MPANEL_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: { proxy: { '/api': { target: mpanel, changeOrigin: true, ws: true } } },
  build: {
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    // For `npm run size`.
    manifest: true,
    // The policy allows no data: URLs for fonts and scripts, and one file more costs little.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // `npm run size` says what is too much.
    chunkSizeWarningLimit: 700,
  },
});
