// Rules of this repository that no linter brings along.

const privateMembers = {
  create: (context) => ({
    PrivateIdentifier(node) {
      context.report({
        node,
        message:
          'Members are kept by `private`, everywhere: a `#name` cannot be looked at in a test.',
      });
    },
  }),
};

export default { meta: { name: 'house' }, rules: { 'private-members': privateMembers } };
