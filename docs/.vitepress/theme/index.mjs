// VitePress' own theme, with the few styles that diagrams and files of the repository need.

import Theme from 'vitepress/theme-without-fonts';
import './site.css';

export default Theme;
