-- CreateTable
CREATE TABLE "account" (
    "customer" TEXT NOT NULL,
    "balance" INTEGER NOT NULL CHECK ("balance" >= 0),

    CONSTRAINT "account_pkey" PRIMARY KEY ("customer")
);

-- CreateTable
CREATE TABLE "charge" (
    "order" TEXT NOT NULL,
    "customer" TEXT NOT NULL,
    "amount" INTEGER NOT NULL,

    CONSTRAINT "charge_pkey" PRIMARY KEY ("order")
);

-- AddForeignKey
ALTER TABLE "charge" ADD CONSTRAINT "charge_customer_fkey" FOREIGN KEY ("customer") REFERENCES "account"("customer") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Two customers to try it with.
INSERT INTO "account" ("customer", "balance") VALUES ('ada', 2000000000), ('bob', 5000);
