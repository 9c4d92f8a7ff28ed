// Command scangate is one deterministic security gate for people, coding agents and CI.
package main

func main() {}
