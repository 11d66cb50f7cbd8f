/**
 * Where the page begins. Guards the strict content policy: nothing is inlined, nothing comes from another
 * host, and everything shown is set as text.
 */
import './styles/tokens.css';
import './styles/base.css';
import './styles/elements.css';
import './styles/shell.css';
import './styles/list.css';
import './styles/overview.css';
import './styles/transaction.css';
import './styles/waits.css';
import './styles/pages.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
