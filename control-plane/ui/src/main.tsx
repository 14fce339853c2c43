import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './frame/App';
import { goBack } from './frame/entry/back';
import { nonce, showScheme } from './frame/scheme';

showScheme();
goBack();
// For the one library below Mantine's modals that puts a <style> into the page by itself.
setNonce(nonce());

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
