CREATE TABLE "stock" (
	"sku" text PRIMARY KEY NOT NULL,
	"available" integer NOT NULL,
	"price" integer NOT NULL,
	CONSTRAINT "stock_available" CHECK ("stock"."available" >= 0)
);
--> statement-breakpoint
INSERT INTO "stock" ("sku", "available", "price") VALUES ('chair', 1000000, 4900), ('table', 10, 19900);
