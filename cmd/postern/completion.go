package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postern-auth/postern/internal/page"
)

// settingsFiles are how files of settings are called.
var settingsFiles = []string{"yaml", "yml", "json"}

// complete says what shells propose where a command has not said it: nothing,
// rather than the files of the folder, for what is no file.
func complete(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		complete(c)
	}
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, said := cmd.GetFlagCompletionFunc(f.Name); said || f.NoOptDefVal != "" || namesFile(f) {
			return
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
	})
}

// markFiles notes which flags take files of any name.
func markFiles(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		_ = cmd.MarkFlagFilename(name)
	}
}

// namesFile reports whether a flag's value is a file or a folder.
func namesFile(f *pflag.Flag) bool {
	_, file := f.Annotations[cobra.BashCompFilenameExt]
	_, folder := f.Annotations[cobra.BashCompSubdirsInDir]
	return file || folder
}

// proposeFiles proposes files of settings for a command's first argument.
func proposeFiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return settingsFiles, cobra.ShellCompDirectiveFilterFileExt
}

// proposePages proposes what pages takes: settings, or a language.
func proposePages(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if texts, _ := cmd.Flags().GetBool("texts"); texts && len(args) == 0 {
		return page.Languages(), cobra.ShellCompDirectiveNoFileComp
	}
	return proposeFiles(cmd, args, toComplete)
}

// proposeMethods proposes methods for a command's first argument.
func proposeMethods(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, cobra.ShellCompDirectiveNoFileComp
}
