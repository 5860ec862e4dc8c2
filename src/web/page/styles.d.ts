// What the build bundles besides code.
declare module '*.css'
