// Signs tokens with golang-jwt: jobs come as JSON on standard input, tokens go out in their order.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/golang-jwt/jwt/v5"
)

type job struct {
	Alg    string         `json:"alg"`
	Key    string         `json:"key"`
	Kid    string         `json:"kid"`
	Claims map[string]any `json:"claims"`
}

func main() {
	var jobs []job
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil {
		log.Fatal(err)
	}
	tokens := []string{}
	for _, job := range jobs {
		token, err := sign(job)
		if err != nil {
			log.Fatalf("%s: %v", job.Alg, err)
		}
		tokens = append(tokens, token)
	}
	if err := json.NewEncoder(os.Stdout).Encode(tokens); err != nil {
		log.Fatal(err)
	}
}

func sign(job job) (string, error) {
	key, err := parse(job)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.GetSigningMethod(job.Alg), jwt.MapClaims(job.Claims))
	if job.Kid != "" {
		token.Header["kid"] = job.Kid
	}
	return token.SignedString(key)
}

func parse(job job) (any, error) {
	pem := []byte(job.Key)
	switch job.Alg[:2] {
	case "HS":
		return pem, nil
	case "RS", "PS":
		return jwt.ParseRSAPrivateKeyFromPEM(pem)
	case "ES":
		return jwt.ParseECPrivateKeyFromPEM(pem)
	default:
		return jwt.ParseEdPrivateKeyFromPEM(pem)
	}
}
